//! What a fault costs. The counting allocator is that of the whole program, hence a program of its own.

use allocation_counter::measure;
use underpin_fault::{Fault, Kind};

fn allocations(make: impl FnOnce() -> Fault) -> u64 {
    let counted = measure(|| drop(make()));
    assert_eq!(counted.count_current, 0, "all is given back");
    counted.count_total
}

#[test]
fn a_fault_without_context_allocates_once() {
    assert_eq!(allocations(|| Fault::new(Kind::NotFound, "order.missing")), 1);
    assert_eq!(
        allocations(|| Fault::new(Kind::Internal, "order.missing").message("static").status(502)),
        1
    );
}

#[test]
fn a_cause_adds_its_own_box() {
    let cause = || std::io::Error::from(std::io::ErrorKind::NotFound);
    assert_eq!(allocations(|| Fault::new(Kind::Unavailable, "db.down").caused_by(cause())), 2);
}

#[test]
fn the_first_context_adds_its_list_and_its_text() {
    assert_eq!(allocations(|| Fault::new(Kind::NotFound, "order.missing").with("id", 7)), 3);
}
