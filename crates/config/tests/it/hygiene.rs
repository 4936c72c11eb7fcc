//! Generated code in surroundings that are not friendly to it.

#![expect(unused, reason = "it compiles, which is all that is asked of it")]
#![deny(deprecated, non_snake_case, nonstandard_style)]

use super::load;

/// Names that the generated code might have used for its own.
mod shadowed {
    pub(super) struct Option;
    pub(super) struct Result;
    pub(super) struct String;
    pub(super) struct Some;
    pub(super) struct Ok;
    #[expect(non_camel_case_types, reason = "that is the point")]
    pub(super) struct str;

    #[derive(Debug, underpin_config::Config)]
    #[config(crate = ::underpin_config)]
    pub(super) struct Settings {
        pub(super) r#type: u8,
        pub(super) reader: u8,
        pub(super) value: u8,
        pub(super) _under: u8,
        #[cfg(any())]
        pub(super) absent: NoSuchType,
        #[config(default = "a")]
        pub(super) mode: Mode,
    }

    #[derive(Debug, underpin_config::Value)]
    pub(super) enum Mode {
        A,
        #[config(alias = "bee")]
        B,
    }

    #[derive(Debug, underpin_config::Value)]
    #[deprecated]
    pub(super) enum Old {
        A,
    }
}

macro_rules! made_by_a_macro {
    ($name:ident, $type:ty, $default:literal) => {
        #[derive(Debug, underpin_config::Config)]
        struct $name {
            maybe: $type,
            #[config(default = $default)]
            size: u8,
        }
    };
}

made_by_a_macro!(Made, Option<u8>, 7);

#[test]
fn it_compiles_and_reads() {
    let settings = load::<shadowed::Settings>(&[
        ("TYPE", "1"),
        ("READER", "2"),
        ("VALUE", "3"),
        ("_UNDER", "4"),
        ("MODE", "BEE"),
    ])
    .unwrap();
    assert_eq!((settings.r#type, settings.reader, settings.value), (1, 2, 3));
    let made = load::<Made>(&[]).unwrap();
    assert_eq!((made.maybe, made.size), (None, 7));
}
