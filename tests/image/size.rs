//! The download size of an image, and what it consists of.

use std::fs;

use serde_json::Value;
use support::made;

/// The promised maximum, with kernel, firmware, ssh, Wi-Fi and the product.
const MOST: u64 = 220_000_000;

#[test]
fn an_image_that_is_quick_to_make_is_small_to_fetch_and_says_where_its_bytes_are() {
    for board in ["pi4", "pi5"] {
        let image = made::in_format(board, "img.zst");
        let size = image.metadata().unwrap().len();
        eprintln!("{board}: {size} bytes");
        assert!(size <= MOST, "{board}: {size} bytes");
        let report = image.to_str().unwrap().replace(".img.zst", ".report.json");
        let report: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
        let all = report["content_bytes"].as_u64().unwrap();
        let folders = report["folders"].as_array().unwrap().iter();
        let reported: u64 = folders.map(|folder| folder["bytes"].as_u64().unwrap()).sum();
        assert!(reported * 10 >= all * 9, "{board}: {reported} of {all} bytes are in folders that are named");
        assert!(report["packages"].as_array().unwrap().len() >= 5, "{report}");
    }
}
