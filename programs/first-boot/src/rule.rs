//! Validates values without looking at the machine; an error is `why: what to do`.
//!
//! Every value becomes part of a file or a command line, so no value may end a line or have another meaning
//! there.

/// The result of a rule.
pub type Verdict = Result<(), String>;

/// Checks a host name.
pub fn hostname(value: &str) -> Verdict {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if value.len() <= 64 && value.split('.').all(label) && !value.eq_ignore_ascii_case("localhost") {
        return Ok(());
    }
    Err("invalid host name: use letters, digits and inner `-`, at most 63 characters".to_owned())
}

/// Checks a login name.
pub fn user(value: &str) -> Verdict {
    let first = value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if first && value.len() <= 32 && value.chars().all(rest) && value != "root" {
        return Ok(());
    }
    Err("invalid user name: begin with a lowercase letter, then use lowercase letters, digits, `-` and \
         `_`, at most 32 characters, and not root"
        .to_owned())
}

/// Checks a plain-text password.
pub fn password(value: &str) -> Verdict {
    printable(value)?;
    if value.len() > 256 {
        return Err("longer than 256 bytes: choose a shorter one".to_owned());
    }
    Ok(())
}

/// Checks a password hash as in /etc/shadow.
pub fn hash(value: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_alphanumeric() || "$./=,-_+".contains(c);
    let parts = value.strip_prefix('$').map_or(0, |rest| rest.split('$').count());
    if parts >= 3 && value.len() <= 256 && value.chars().all(plain) {
        return Ok(());
    }
    Err("not a password hash: use the output of `openssl passwd -6`, or write the password itself and \
         password_encrypted = false"
        .to_owned())
}

/// Checks a line of authorized_keys.
pub fn key(value: &str) -> Verdict {
    printable(value)?;
    let known =
        |word: &str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
    let mut words = value.split(' ').skip_while(|word| !known(word));
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    match (words.next(), words.next()) {
        (Some(_), Some(body)) if body.starts_with("AAAA") && body.chars().all(base64) => {}
        _ => {
            return Err("not a public key: write the line from a file such as id_ed25519.pub".to_owned());
        }
    }
    if value.len() > 16_384 {
        return Err(
            "longer than any public key: write the line from a file such as id_ed25519.pub".to_owned()
        );
    }
    Ok(())
}

/// Checks the name of a Wi-Fi network.
pub fn ssid(value: &str) -> Verdict {
    printable(value)?;
    if value.len() > 32 {
        Err("longer than 32 bytes: write the name of a network".to_owned())
    } else {
        Ok(())
    }
}

/// Checks a Wi-Fi password.
pub fn passphrase(value: &str) -> Verdict {
    let fits = (8..=63).contains(&value.len()) && value.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    Err("invalid Wi-Fi password: use 8 to 63 ASCII characters".to_owned())
}

/// Checks the key that is derived from a Wi-Fi password and network name.
pub fn psk(value: &str) -> Verdict {
    if value.len() == 64 && value.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err("not a key of 64 hexadecimal digits: write one, or the password itself and password_encrypted = false"
        .to_owned())
}

/// Checks a country code.
pub fn country(value: &str) -> Verdict {
    if value.len() == 2 && value.chars().all(|c| c.is_ascii_uppercase()) {
        return Ok(());
    }
    Err("invalid country: write two capital letters, such as DE".to_owned())
}

/// Checks a keyboard layout.
pub fn keymap(value: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_,".contains(c);
    if (1..=32).contains(&value.len()) && value.chars().all(plain) && !value.starts_with('-') {
        return Ok(());
    }
    Err("invalid keyboard layout: write a name such as us or de".to_owned())
}

/// Checks the name of a file in the time zone database.
pub fn timezone(value: &str) -> Verdict {
    let part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_+".contains(c);
        !part.is_empty() && part.chars().all(plain)
    };
    if value.len() <= 64 && value.split('/').all(part) {
        return Ok(());
    }
    Err("invalid time zone: write a name such as Europe/Berlin".to_owned())
}

/// Checks a locale.
pub fn language(value: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.@-".contains(c);
    let letter = value.starts_with(|c: char| c.is_ascii_alphabetic());
    if letter && value.len() <= 64 && value.chars().all(plain) && !value.contains("..") {
        return Ok(());
    }
    Err("invalid locale: write a name such as de_DE.UTF-8".to_owned())
}

/// Checks a role.
pub fn role(value: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=32).contains(&value.len()) && value.chars().all(plain) {
        return Ok(());
    }
    Err("invalid role: write robot or pc".to_owned())
}

/// Checks a directory.
pub fn directory(value: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+@-".contains(c);
    let parts = value.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|part| !matches!(part, "" | "." | "..") && part.len() <= 255)
    });
    if parts && value.len() < 1024 && value.chars().all(plain) {
        return Ok(());
    }
    Err("invalid directory: write an absolute path with letters, digits and `/._+@-`".to_owned())
}

fn printable(value: &str) -> Verdict {
    if value.is_empty() {
        return Err("empty: set a value, or remove the line".to_owned());
    }
    match value.chars().find(|c| c.is_control()) {
        Some('\n' | '\r') => Err("contains a line break: write it on one line".to_owned()),
        Some(_) => Err("contains a control character: type it again".to_owned()),
        None => Ok(()),
    }
}
