//! The names that systemd gives to units on the bus.

/// Returns the object path of a unit.
pub fn unit_path(unit: &str) -> String {
    let escape = |(at, byte): (usize, u8)| match byte {
        b'0'..=b'9' if at == 0 => format!("_{byte:02x}"),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    };
    let label: String = unit.bytes().enumerate().map(escape).collect();
    format!("/org/freedesktop/systemd1/unit/{label}")
}

#[cfg(test)]
mod tests {
    use super::unit_path;

    #[test]
    fn labels() {
        assert_eq!(unit_path("a-b@1.service"), "/org/freedesktop/systemd1/unit/a_2db_401_2eservice");
        assert_eq!(unit_path("9a.service"), "/org/freedesktop/systemd1/unit/_39a_2eservice");
    }
}
