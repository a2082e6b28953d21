//! Rules for lists as a whole.

use crate::finding::quote;

const MOST: usize = 100;

/// Finds duplicate values, or the end of a list that is too long, each with its index.
pub fn check(list: &[String]) -> Vec<(usize, String)> {
    if let Some(fault) = check_length(list) {
        return vec![fault];
    }
    let twice = |(i, value): &(usize, &String)| list[..*i].contains(value);
    let fault = |(i, value): (usize, &String)| (i, format!("duplicate value {}: keep one", quote(value)));
    list.iter().enumerate().filter(twice).map(fault).collect()
}

/// Finds the end of a list that is too long. Values may repeat, as the words of a command do.
pub fn check_length(list: &[String]) -> Option<(usize, String)> {
    (list.len() > MOST).then(|| (MOST, format!("the list has {} values: use at most {MOST}", list.len())))
}
