//! The command line, which is also its help.

xflags::xflags! {
    /// The workspace's own commands. Start with `cargo xtask ci`.
    cmd xtask {
        /// Everything a change must pass, fast to slow, one line a step.
        cmd ci {
            /// Resume at this step.
            optional --from step: String
        }
        /// Unit tests, each crate's behaviour tests, and doctests.
        cmd test {
            /// Only this package: `breaker` or `underpin-breaker`.
            optional -p,--package package: String
            /// Leaves the doctests out.
            optional --no-doc
        }
        /// Builds every crate alone: no features, each feature, all features.
        cmd features {
            /// Only this package: `breaker` or `underpin-breaker`.
            optional -p,--package package: String
        }
        /// The house rules that no compiler checks.
        cmd tidy {}
        /// Documentation, warnings denied.
        cmd docs {}
        /// Tests across crates and against programs that are not ours.
        cmd integration {
            /// Only this area.
            optional area: String
            /// All the counts, in release, not the tenth that `ci` runs; with `lifecycle`, the loom models too.
            optional --full
        }
        /// The loom models: all interleavings of the lock-free cores.
        cmd loom {}
        /// Runs the tests that docs/parity.md and docs/traps.md name, and counts proven, not yet, broken.
        cmd parity {}
        /// Benchmarks beside named peers, in one run.
        cmd bench {
            /// Only this page of `bench/`.
            optional area: String
        }
        /// The release plan; with a flag, a step of it.
        cmd publish {
            /// Builds every crate alone, from its own tarball.
            optional --package
            /// Publishes to a registry on loopback and builds every README's example from it.
            optional --rehearse
            /// Rehearsal: seconds until a published version shows in the index.
            optional --delay seconds: u64
            /// Rehearsal: so many uploads after the first are answered with 429.
            optional --throttle uploads: u32
            /// The real thing.
            optional --execute
        }
        /// Installs the third-party programs that the tests use.
        cmd setup {}
    }
}
