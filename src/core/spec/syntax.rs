//! Words for YAML syntax errors: what stands there, and what to write instead.

use granit_parser::ErrorKind;

/// Message and help for a syntax error.
pub(super) fn words(kind: &ErrorKind) -> (String, &'static str) {
    let (message, help) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => (
            "a tab is used where YAML allows spaces only",
            "indent with spaces",
        ),
        ErrorKind::UnclosedQuotedScalar => (
            "a quoted text is not closed",
            "add the closing quote, of the same kind as the opening one",
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar => (
            "something follows the closing `'` of a text",
            "write '' for a single quote within single quotes",
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "something follows the closing `\"` of a text",
            "put the whole text into single quotes when it holds double quotes, as in 'm{a=\"b\"}'",
        ),
        ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape => (
            "an unknown escape (`\\…`) stands in a double-quoted text",
            "use single quotes, in which `\\` stands for itself, or write `\\\\`",
        ),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (
                format!("`{open}` is closed by `{close}`"),
                "close every `{` by `}` and every `[` by `]`; put quotes around text that holds them",
            );
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            return (
                format!("`{open}` is not closed"),
                "close every `{` by `}` and every `[` by `]`; put quotes around text that holds them",
            );
        }
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => (
            "the file ends within `{…}` or `[…]`",
            "add the closing `}` or `]`",
        ),
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::FlowMappingValueAdjacentCollection
        | ErrorKind::InvalidColonPlacement => (
            "a `,` or the closing bracket is missing in `{…}` or `[…]`",
            "separate entries by `,`; put quotes around text that holds `{`, `[` or `,`, as in 'm{a=\"b\"}'",
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::SimpleKeyExpected => (
            "a `:` stands where none is allowed, or a line is not `field: value`",
            "check the indentation; put quotes around text that holds `: `",
        ),
        ErrorKind::InvalidSimpleKey | ErrorKind::MappingKeyNotAllowed => (
            "this line is not `field: value`",
            "check the indentation, and the `:` with a space behind it",
        ),
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => (
            "the indentation does not fit the lines before",
            "indent fields of one mapping, and the `-` of one list, equally",
        ),
        ErrorKind::UnexpectedCharacter { character } => {
            return (
                format!(
                    "a plain text cannot begin with `{}`",
                    character.escape_debug()
                ),
                "put quotes around it",
            );
        }
        ErrorKind::ExpectedDocumentStart | ErrorKind::InvalidDocumentEnd => (
            "something stands between the end of one document and the next",
            "begin every document with a line `---`",
        ),
        ErrorKind::DirectiveDisallowed => (
            "a YAML directive (`%…`) is used",
            "leave the line out; put quotes around text that begins with `%`",
        ),
        ErrorKind::RecursionLimitExceeded => (
            "values are nested too deeply",
            "rule files are flat: is this the right file?",
        ),
        ErrorKind::BomInsideDocument => (
            "a byte-order mark stands within the file",
            "remove it: files that were joined often have one",
        ),
        ErrorKind::UnexpectedEof => ("the file ends too early", "is the file cut off?"),
        other => {
            let detail = other.to_string();
            let message = if detail.is_empty() {
                "this is not valid YAML".to_owned()
            } else {
                format!("this is not valid YAML: {detail}")
            };
            return (
                message,
                "check indentation, quotes and brackets around here",
            );
        }
    };
    (message.to_owned(), help)
}
