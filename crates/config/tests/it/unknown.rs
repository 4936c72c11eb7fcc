//! Variables that belong to no field.

use underpin_config::{Config, Env};

use super::{load, problems};

macro_rules! settings {
    ($name:ident $(, $unknown:literal)?) => {
        #[derive(Debug, Config)]
        #[config(prefix = "ORDERS_" $(, unknown = $unknown)?)]
        #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
        struct $name {
            #[config(default = 3000)]
            port: u16,
            #[config(default = "a")]
            database_url: String,
        }
    };
}

settings!(Deny);
settings!(Warn, "warn");
settings!(Allow, "allow");

#[test]
fn under_the_prefix_are_problems_with_the_closest_name() {
    assert_eq!(
        problems::<Deny>(&[
            ("ORDERS_DATABSE_URL", "x"),
            ("ORDERS_POTR_FILE", "x"),
            ("ORDERS_ZZZ", "x"),
            ("ORDERSPORT", "x"),
            ("OTHER", "x")
        ]),
        [
            "ORDERS_DATABSE_URL is not a variable of this service: did you mean ORDERS_DATABASE_URL?",
            "ORDERS_POTR_FILE is not a variable of this service: did you mean ORDERS_PORT_FILE?",
            "ORDERS_ZZZ is not a variable of this service",
        ]
    );
}

#[test]
fn can_be_warnings_or_nothing() {
    let loaded = Warn::load_from(Env::from([("ORDERS_PROT", "1")])).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["ORDERS_PROT is not a variable of this service: did you mean ORDERS_PORT?"]
    );
    let loaded = Allow::load_from(Env::from([("ORDERS_PROT", "1")])).unwrap();
    assert_eq!(loaded.warnings, []);
}

#[test]
fn set_by_kubernetes_are_not_typos() {
    let mut pairs = vec![
        ("ORDERS_SERVICE_HOST", "10.0.0.1"),
        ("ORDERS_SERVICE_PORT", "80"),
        ("ORDERS_SERVICE_PORT_HTTP", "80"),
        ("ORDERS_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("ORDERS_PORT_80_TCP_PROTO", "tcp"),
        ("ORDERS_PORT_80_TCP_PORT", "80"),
        ("ORDERS_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("ORDERS_WEB_SERVICE_HOST", "10.0.0.2"),
        ("ORDERS_WEB_SERVICE_PORT", "80"),
        ("ORDERS_WEB_PORT", "tcp://10.0.0.2:80"),
    ];
    assert_eq!(load::<Deny>(&pairs).unwrap().port, 3000);
    // Without the Service's host it is somebody's mistake after all.
    assert_eq!(problems::<Deny>(&[("ORDERS_WEB_PORT", "tcp://10.0.0.2:80")]).len(), 1);
    // And where its name is also a field's, the report says who set it.
    pairs.push(("ORDERS_PORT", "tcp://10.0.0.1:80"));
    assert_eq!(
        problems::<Deny>(&pairs),
        [
            "ORDERS_PORT was set by Kubernetes for a Service of that name: say enableServiceLinks: false in the pod's spec: \
          expected a whole number from 0 to 65535"
        ]
    );
}
