use underpin_fault::Classify;

#[derive(Debug, Classify)]
enum OrderError {
    #[fault(kind = NotFound, code = "order.missing")]
    Missing,
    #[fault(kind = NotFound, code = "order.missing")]
    Gone,
}

#[derive(Debug, Classify)]
#[fault(kind = NotFound, code = "a", kind = Aborted)]
struct Twice;

#[derive(Debug, Classify)]
#[fault(kind = Aborted, code = "a", retry = Never, retry_after = "1s")]
struct Undecided;

fn main() {}
