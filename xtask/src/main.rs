//! x
use xtask::model::Product;
fn main() {
    let f = std::env::args().nth(1).unwrap();
    let t = std::fs::read_to_string(&f).unwrap();
    match Product::read(&f, &t, &["run_stack".to_owned(), "notify-helper".to_owned()]) {
        Ok(p) => {let t=xtask::render::render(&p, &[]);
         for (k, f) in &t.0 { let d = std::path::Path::new("/tmp/w/out").join(k); std::fs::create_dir_all(d.parent().unwrap()).unwrap(); std::fs::write(d, &f.bytes).unwrap(); }
         print!("{}", t.manifest())},
        Err(e) => eprintln!("{e}"),
    }
}
