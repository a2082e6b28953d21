//! Errors in a command line, in the words of our programs.

/// Describes an error: the argument, and what is wrong with it.
pub fn describe(error: &lexopt::Error) -> String {
    use lexopt::Error;
    match error {
        Error::MissingValue { option } => {
            format!("`{}`: value is missing", option.as_deref().unwrap_or_default())
        }
        Error::UnexpectedOption(option) => format!("`{option}`: unknown option"),
        Error::UnexpectedArgument(word) => format!("`{}`: unexpected argument", word.to_string_lossy()),
        Error::UnexpectedValue { option, .. } => format!("`{option}`: takes no value"),
        Error::NonUnicodeValue(word) => format!("`{}`: not UTF-8", word.to_string_lossy()),
        other => other.to_string(),
    }
}
