use underpin_fault::Classify;

#[derive(Debug, Classify)]
enum OrderError {
    #[fault(kind = NotFond, code = "a")]
    A,
    #[fault(kin = NotFound, code = "b")]
    B,
    #[fault(kind = Teapot, code = "c")]
    C,
    #[fault(kind = Aborted, code = "d", colour = "red")]
    D,
    #[fault(kind = Aborted, code = "e", retry = Sometimes)]
    E,
    #[fault(kind = Aborted, code = "f", message = "order {idd}")]
    F { id: u64 },
    #[fault(kind = Aborted, code = "g", message = "order {}")]
    G(u64),
    #[fault(kind = "NotFound", code = "h")]
    H,
}

fn main() {}
