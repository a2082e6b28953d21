//! Configures Wi-Fi for NetworkManager if it is installed, otherwise for wpa_supplicant with systemd-networkd.

use std::fs;
use std::path::Path;

use base::failure::reason;

use crate::settings::{Secret, Wlan};
use crate::{durable, template, tool};

const MANAGER: &str = "/usr/lib/systemd/system/NetworkManager.service";
const CONNECTION: &str = "/etc/NetworkManager/system-connections/custom.nmconnection";
const CONNECTION_TEXT: &str = include_str!("files/custom.nmconnection");
const CONNECTION_KEY: &str = include_str!("files/custom.nmconnection.key");

const SUPPLICANT: &str = "/usr/lib/systemd/system/wpa_supplicant@.service";
const SUPPLICANT_TEXT: &str = include_str!("files/wpa_supplicant.conf");

const REGION: &str = "/etc/modprobe.d/first-boot-region.conf";
const REGION_TEXT: &str = include_str!("files/region.conf");

/// Configures the network, now and for later boots.
pub(super) fn apply(wlan: &Wlan) -> Result<(), String> {
    if let Some(country) = &wlan.country {
        // A module option, which works with any program.
        write(REGION, 0o644, &template::filled(REGION_TEXT, &[("country", country)]))?;
    }
    if tool::exists("rfkill") {
        // Some systems disable Wi-Fi until a country is set.
        let _ = tool::run(&["rfkill", "unblock", "wlan"], None);
    }
    if Path::new(MANAGER).exists() {
        return connection(wlan);
    }
    if !Path::new(SUPPLICANT).exists() {
        return Err("this machine has neither NetworkManager nor wpa_supplicant: install one".to_owned());
    }
    supplicant(wlan)
}

fn connection(wlan: &Wlan) -> Result<(), String> {
    // A list of bytes can represent any name.
    let ssid: String = wlan.ssid.bytes().map(|byte| format!("{byte};")).collect();
    let key = match &wlan.secret {
        Secret::Open => None,
        Secret::Kept => Some(read_earlier_key(CONNECTION, &format!("ssid={ssid}"))?),
        // Escape backslashes and leading blanks.
        Secret::Passphrase(text) => {
            let escaped = text.replace('\\', "\\\\");
            let blanks = escaped.len() - escaped.trim_start_matches(' ').len();
            Some(format!("{}{}", "\\s".repeat(blanks), &escaped[blanks..]))
        }
        Secret::Psk(key) => Some(key.clone()),
    };
    let security = key.map(|key| template::filled(CONNECTION_KEY, &[("key", &key)])).unwrap_or_default();
    let hidden = if wlan.hidden { "true" } else { "false" };
    let values = [("ssid", ssid.as_str()), ("hidden", hidden), ("security", &security)];
    write(CONNECTION, 0o600, &template::filled(CONNECTION_TEXT, &values))
}

fn supplicant(wlan: &Wlan) -> Result<(), String> {
    let ssid: String = wlan.ssid.bytes().map(|byte| format!("{byte:02x}")).collect();
    for device in devices() {
        let path = format!("/etc/wpa_supplicant/wpa_supplicant-{device}.conf");
        let (how, key) = match &wlan.secret {
            Secret::Open => ("NONE", None),
            Secret::Kept => {
                ("WPA-PSK WPA-PSK-SHA256", Some(read_earlier_key(&path, &format!("ssid={ssid}"))?))
            }
            // The value is everything between the first and the last quote.
            Secret::Passphrase(text) => ("WPA-PSK WPA-PSK-SHA256", Some(format!("\"{text}\""))),
            Secret::Psk(key) => ("WPA-PSK WPA-PSK-SHA256", Some(key.clone())),
        };
        let key = key.map(|key| format!("\tpsk={key}\n")).unwrap_or_default();
        let country = wlan.country.as_ref().map(|c| format!("country={c}\n")).unwrap_or_default();
        let hidden = if wlan.hidden { "1" } else { "0" };
        let values =
            [("ssid", ssid.as_str()), ("how", how), ("key", &key), ("country", &country), ("hidden", hidden)];
        write(&path, 0o600, &template::filled(SUPPLICANT_TEXT, &values))?;
        let unit = format!("wpa_supplicant@{device}.service");
        tool::systemctl(&["--quiet", "--no-reload", "enable", &unit])?;
        // The device may not exist yet; then the unit waits for it.
        tool::systemctl(&["--no-block", "restart", &unit])?;
    }
    Ok(())
}

/// Returns the existing Wi-Fi devices, or the one that a Raspberry Pi will have.
fn devices() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let wireless = entries.filter(|entry| entry.path().join("wireless").exists());
    let mut devices: Vec<String> = wireless.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    devices.sort();
    if devices.is_empty() { vec!["wlan0".to_owned()] } else { devices }
}

/// Returns the saved key of the same network.
fn read_earlier_key(path: &str, ssid: &str) -> Result<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    let key = lines.clone().find_map(|line| line.strip_prefix("psk="));
    match (key, lines.any(|line| line == ssid)) {
        (Some(key), true) => Ok(key.to_owned()),
        _ => Err("no saved password for this network: write it".to_owned()),
    }
}

fn write(path: &str, mode: u32, text: &str) -> Result<(), String> {
    durable::replace(Path::new(path), Some(mode), text.as_bytes())
        .map_err(|e| format!("`{path}`: {}", reason(&e)))
}
