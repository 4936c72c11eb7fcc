use underpin_fault::Classify;

#[derive(Debug, Classify)]
#[fault(kind = NotFound, code = "order")]
enum OrderError {
    #[fault(transparent)]
    Two(std::io::Error, u8),
    #[fault(transparent, code = "order.other")]
    Both(std::io::Error),
    #[fault(kind = Aborted, code = "order.field")]
    Field {
        #[fault(transparent)]
        inner: std::io::Error,
    },
}

#[derive(Classify)]
union Bits {
    a: u8,
}

fn main() {}
