//! Who may: whoever has the token. It is shown once; what is kept is its SHA-256.

use super::App;
use super::problem::Problem;
use crate::digest::sha256;
use crate::error::Error;
use crate::output::{prepare_folder, write_whole};
use crate::read::read_file;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::path::{Path, PathBuf};

/// Random bytes of a token.
const BYTES: usize = 32;
/// Its file in the store's folder.
const FILE: &str = "token.sha256";
/// Name of the cookie.
const COOKIE_NAME: &str = "lsr_edge_token";

/// The SHA-256 of a token, in hexadecimal. Comparing hashes of 256 random bits tells an attacker nothing by its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(String);

/// Where the hash is kept.
#[derive(Debug)]
pub struct TokenStore(PathBuf);

impl TokenStore {
    /// In a store's folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join(FILE))
    }

    /// The token that is known, if there is one.
    ///
    /// # Errors
    /// [`Error::Store`] for a file that is none; [`Error::Read`].
    pub fn known(&self) -> Result<Option<Token>, Error> {
        if !self.0.exists() {
            return Ok(None);
        }
        let text = String::from_utf8(read_file(&self.0, 1 << 10)?).unwrap_or_default();
        let hash = text.trim();
        if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let reason = "expected the SHA-256 of a token in hexadecimal; --new-token makes another".to_owned();
            return Err(Error::Store { path: self.0.clone(), reason });
        }
        Ok(Some(Token(hash.to_ascii_lowercase())))
    }

    /// Makes a token that replaces the one that is known, and gives it: nobody can find it again.
    ///
    /// # Errors
    /// [`Error::Store`] where the system has no random numbers; [`Error::OutputFolder`], [`Error::Write`].
    pub fn renew(&self) -> Result<(String, Token), Error> {
        let mut random = [0; BYTES];
        getrandom::fill(&mut random).map_err(|error| Error::Store { path: self.0.clone(), reason: error.to_string() })?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let known = Token::of(&token);
        prepare_folder(self.0.parent().unwrap_or(Path::new(".")))?;
        write_whole(&self.0, format!("{}\n", known.0).as_bytes())?;
        Ok((token, known))
    }
}

impl Token {
    /// Of the token itself.
    pub fn of(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }
}

/// Lets a request pass that has the token in its header or its cookie. `/?token=TOKEN` gives a browser the cookie.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(known) = &app.token else { return next.run(request).await };
    let headers = request.headers();
    let given = bearer(headers).or_else(|| cookie(headers));
    if given.is_some_and(|given| Token::of(given) == *known) {
        return next.run(request).await;
    }
    let in_query = |query: &str| query.split('&').find_map(|part| part.strip_prefix("token=")).map(str::to_owned);
    if request.uri().path() == "/"
        && let Some(given) = request.uri().query().and_then(in_query)
        && Token::of(&given) == *known
    {
        return with_cookie(&given, app.secure);
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "a token is needed: 'Authorization: Bearer TOKEN', or open /?token=TOKEN once");
    let mut response = problem.into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|cookies| cookies.to_str().ok()).flat_map(|cookies| cookies.split(';'));
    cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// To the page itself, so that the token does not stay in the address.
fn with_cookie(token: &str, secure: bool) -> Response {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = HeaderValue::from_str(&format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"));
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
    if let Ok(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_kept_is_not_the_token() {
        let place = tempfile::tempdir().unwrap();
        let store = TokenStore::in_folder(place.path());
        assert_eq!(store.known().unwrap(), None);
        let (token, made) = store.renew().unwrap();
        assert_eq!((token.len(), &Token::of(&token)), (64, &made));
        assert_eq!(store.known().unwrap(), Some(made.clone()));
        assert!(!fs::read_to_string(place.path().join(FILE)).unwrap().contains(&token));
        assert_ne!(store.renew().unwrap().1, made);
        fs::write(place.path().join(FILE), "secret").unwrap();
        assert!(matches!(store.known(), Err(Error::Store { .. })));
    }
}
