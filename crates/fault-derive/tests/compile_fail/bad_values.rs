use underpin_fault::Classify;

#[derive(Debug, Classify)]
enum OrderError {
    #[fault(kind = NotFound, code = "no such order")]
    Spaces,
    #[fault(kind = NotFound, code = "")]
    Empty,
    #[fault(kind = NotFound, code = "a", status = 200)]
    Success,
    #[fault(kind = NotFound, code = "b", status = 70000)]
    TooLarge,
    #[fault(kind = NotFound, code = "c", retry_after = "2 seconds")]
    Seconds,
    #[fault(kind = NotFound, code = "d", message = "half {open")]
    Half { open: u8 },
    #[fault(kind = Internal, code = "e", message = "nobody reads this")]
    Bug,
}

fn main() {}
