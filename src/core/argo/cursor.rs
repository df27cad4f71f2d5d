//! A place in a text that is read character by character: what lies between its start and the place is the piece at
//! hand.

/// Reads characters; a place may be set back.
#[derive(Debug)]
pub(super) struct Cursor {
    characters: Vec<char>,
    pub(super) start: usize,
    pub(super) at: usize,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        Self {
            characters: text.chars().collect(),
            start: 0,
            at: 0,
        }
    }

    /// The character at the place.
    pub(super) fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// Reads a character; at the end the place stays.
    pub(super) fn read(&mut self) -> Option<char> {
        let character = self.peek();
        self.at += usize::from(character.is_some());
        character
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        let mut rest = self.characters.get(self.at..).unwrap_or_default().iter();
        text.chars()
            .all(|character| rest.next() == Some(&character))
    }

    /// The character before the last one that was read.
    pub(super) fn before_last(&self) -> Option<char> {
        let index = self.at.checked_sub(2)?;
        self.characters.get(index).copied()
    }

    /// The piece at hand.
    pub(super) fn piece(&self) -> String {
        let piece = self.characters.get(self.start..self.at);
        piece.unwrap_or_default().iter().collect()
    }

    /// The piece at hand; the next one starts here.
    pub(super) fn consume(&mut self) -> String {
        let piece = self.piece();
        self.start = self.at;
        piece
    }
}
