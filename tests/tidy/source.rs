//! Reading Rust, as far as the checks need it: code apart from comments and literals, words with their lines, paths.

pub type Token = (usize, String);

/// A parsed file: its code as words with their line numbers, without comments and what literals hold.
pub struct File {
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
    pub comments: String,
}

impl File {
    pub fn new(path: &str, text: &str) -> File {
        let (code, comments) = split(text);
        File { path: path.into(), text: text.into(), tokens: tokens(&code), comments }
    }

    pub fn fault(&self, line: usize, why: impl AsRef<str>) -> String {
        format!("{}:{line}: {}", self.path, why.as_ref())
    }

    /// The modules this file stands in, from the crate's root; the files of the two roots count as modules here.
    pub fn modules(&self) -> Vec<&str> {
        let Some(path) = self.path.strip_prefix("src/") else { return Vec::new() };
        path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect()
    }

    pub fn room(&self) -> Option<&str> {
        self.modules().first().copied()
    }

    /// The word or sign at `at`; nothing past the end.
    pub fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |(_, word)| word)
    }

    /// Do the tokens from `at` on read like `pattern`?
    pub fn is(&self, at: usize, pattern: &str) -> bool {
        words(pattern).iter().enumerate().all(|(i, word)| self.word(at + i) == word)
    }

    /// Where the tokens read like `pattern`.
    pub fn find(&self, pattern: &str) -> impl Iterator<Item = usize> {
        let pattern = words(pattern);
        (0..self.tokens.len()).filter(move |at| pattern.iter().enumerate().all(|(i, word)| self.word(at + i) == word))
    }

    /// Where the bracket opened at `open` is closed.
    pub fn close(&self, open: usize) -> usize {
        let mut depth = 0;
        let closes = |(_, word): &Token| {
            depth += i32::from(["(", "{"].contains(&&**word)) - i32::from([")", "}"].contains(&&**word));
            depth == 0
        };
        self.tokens[open..].iter().position(closes).map_or(self.tokens.len(), |length| open + length)
    }

    /// Does a comment end right above `line` in which a line begins with `// SAFETY:`?
    pub fn is_justified(&self, line: usize) -> bool {
        let above: Vec<&str> = self.text.lines().take(line - 1).map(str::trim).collect();
        above.iter().rev().take_while(|line| line.starts_with("//")).any(|line| line.starts_with("// SAFETY:"))
    }

    /// Every path, with its line, that begins at the crate's root, goes up (`super` resolved) or names the standard library; groups taken apart.
    pub fn paths(&self) -> Vec<(usize, Vec<&str>)> {
        let opened = self.find("mod").filter(|at| self.word(at + 2) == "{");
        let inner: Vec<_> = opened.map(|at| (at..self.close(at + 2), self.word(at + 1))).collect();
        let (mut found, mut end) = (Vec::new(), 0);
        for at in 0..self.tokens.len() {
            let word = self.word(at);
            let before = if at > 1 && self.word(at - 1) == "::" { self.word(at - 2) } else { "" };
            let goes_on = at < end || is_word(before) && before != "use" && (before, word) != ("self", "super");
            let starts = ["crate", "super", "std", "core", "io"].contains(&word);
            if starts && !goes_on && ["::", "as"].contains(&self.word(at + 1)) {
                let mut base = Vec::new();
                if word == "super" {
                    base = [vec!["crate"], self.modules()].concat();
                    base.extend(inner.iter().filter(|(range, _)| range.contains(&at)).map(|(_, name)| name));
                }
                end = self.leaves(at, base, &mut found);
            }
        }
        found
    }

    /// Follows a path from its segment or group at `at`; answers where it ends.
    fn leaves<'a>(&'a self, mut at: usize, mut path: Vec<&'a str>, found: &mut Vec<(usize, Vec<&'a str>)>) -> usize {
        match self.word(at) {
            "{" => {
                while ["{", ","].contains(&self.word(at)) {
                    at = self.leaves(at + 1, path.clone(), found);
                }
                return at + 1;
            }
            "super" => path.truncate(1.max(path.len() - 1)),
            "self" => {}
            word if is_word(word) || word == "*" => path.push(word),
            _ => return at,
        }
        let next = self.word(at + 2);
        if self.word(at + 1) == "::" && (is_word(next) || ["*", "{"].contains(&next)) {
            return self.leaves(at + 2, path, found);
        }
        found.push((self.tokens[at].0, path));
        if self.word(at + 1) == "as" { at + 3 } else { at + 1 }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

pub fn words(code: &str) -> Vec<String> {
    tokens(code).into_iter().map(|(_, word)| word).collect()
}

/// Words, `::` and single signs.
pub fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (number, mut line) in code.lines().enumerate() {
        while let Some(first) = line.trim_start().chars().next() {
            line = line.trim_start();
            let word = line.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(line.len());
            let length = if word > 0 {
                word
            } else if line.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((number + 1, line[..length].into()));
            line = &line[length..];
        }
    }
    found
}

/// The code and the comments of a text, apart: both keep every line and column, with spaces for the other part and for the inside of literals.
pub fn split(text: &str) -> (String, String) {
    let all: Vec<char> = text.chars().collect();
    let (mut code, mut comments, mut at) = (String::new(), String::new(), 0);
    while at < all.len() {
        let rest = &all[at..];
        let word = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
        let hashes = rest[word..].iter().take_while(|c| **c == '#').count();
        let is_raw = matches!(rest[..word], ['r'] | ['b' | 'c', 'r']) && rest.get(word + hashes) == Some(&'"');
        let (is_comment, is_literal, length) = match rest {
            ['/', '/', ..] => (true, false, rest.iter().take_while(|c| **c != '\n').count()),
            ['/', '*', ..] => (true, false, block_comment(rest)),
            ['"', ..] | ['\'', '\\', ..] | ['\'', _, '\'', ..] => (false, true, quoted(rest)),
            _ if is_raw => {
                let end = [vec!['"'], vec!['#'; hashes]].concat();
                let inside = word + hashes + 1;
                let length = rest[inside..].windows(end.len()).position(|window| window == end);
                (false, true, length.map_or(rest.len(), |length| inside + length + end.len()))
            }
            _ => (false, false, word.max(1)),
        };
        for (i, &c) in rest[..length].iter().enumerate() {
            let edge = i == 0 || i + 1 == length;
            let space = if c == '\n' { '\n' } else { ' ' };
            code.push(if is_literal && edge {
                '"'
            } else if is_comment || is_literal {
                space
            } else {
                c
            });
            comments.push(if is_comment { c } else { space });
        }
        at += length;
    }
    (code, comments)
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            [] => return at,
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != rest[0] {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    rest.len().min(at + 1)
}
