use underpin_fault::Classify;

#[derive(Debug, Classify)]
enum OrderError {
    #[fault(kind = NotFound, code = "order.missing")]
    Missing,
    PaymentFailed,
    #[fault(kind = Aborted)]
    Conflict,
    #[fault(code = "order.closed")]
    Closed,
}

#[derive(Debug, Classify)]
struct CardDeclined;

fn main() {}
