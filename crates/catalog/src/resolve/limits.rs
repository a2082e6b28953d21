//! The limits of a service or a slice.

use crate::raw::Limits;
use crate::rule::quantity;
use crate::rule::text::Verdict;

/// Checks every limit; `check` gets the field and what a rule says of its value.
pub(super) fn check_limits(limits: &Limits, mut check: impl FnMut(&str, Verdict)) {
    check("cpu-quota", limits.cpu_quota.as_deref().map_or(Ok(()), quantity::check_percentage));
    check("memory-max", limits.memory_max.as_deref().map_or(Ok(()), quantity::check_memory));
    check("tasks-max", limits.tasks_max.map_or(Ok(()), quantity::check_count));
    check("nofile", limits.nofile.map_or(Ok(()), quantity::check_count));
    check("nproc", limits.nproc.map_or(Ok(()), quantity::check_count));
}

/// Renders the directives of limits: name and value.
pub(super) fn render_limits(limits: &Limits) -> Vec<(String, String)> {
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    set_directives([
        ("CPUQuota", limits.cpu_quota.clone()),
        ("MemoryMax", limits.memory_max.clone()),
        ("TasksMax", number(limits.tasks_max)),
        ("LimitNOFILE", number(limits.nofile)),
        ("LimitNPROC", number(limits.nproc)),
    ])
}

/// Keeps the directives that have a value.
pub(super) fn set_directives<const N: usize>(list: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    list.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
