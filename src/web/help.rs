//! Help: how to get in, what to do when that does not work, and when something was lost.
//!
//! The same words at two doors: `/help`, and the second port, which asks for no certificate and holds
//! nothing about anyone. There they are all that there is, whatever is asked.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::page::{self, ASSETS, Page};
use super::table::{For, Pages};
use super::visit::{Stop, Visit};
use crate::edge::tls::NotAccepted;

pub fn pages(pages: Pages) -> Pages {
    pages.get("/help", For::Certificate, help)
}

async fn help(visit: Visit) -> Result<Page, Stop> {
    drop(visit);
    Ok(Page::new("Help", words(&html! {})))
}

/// The second port: this page, and what it is dressed with.
pub fn outside() -> Router {
    Router::new().fallback(async |request: Request| -> Response {
        let path = request.uri().path();
        match ASSETS.into_iter().find(|asset| asset.path == path) {
            Some(asset) => page::asset(asset),
            None => page::alone(StatusCode::OK, "Help", &words(&why_here())),
        }
    })
}

/// To her whose certificate does not hold any more. It is the last page of her connection and no other
/// opens, so that what it is dressed with stands on it, allowed by its hash (CSP Level 3, 2.3.1).
pub fn ended(why: NotAccepted) -> Response {
    let style = ASSETS
        .into_iter()
        .find(|asset| asset.path == "/assets/style.css")
        .map_or("", |asset| asset.text);
    let main = html! {
        style { (PreEscaped(style)) }
        h1 { "Your certificate was not accepted" }
        p { "What we know is: " (why) ". Ask the person who gave it to you for a new one." }
        p { "If that cannot wait, telephone the operator. The number is in your enrolment letter." }
    };
    let mut response = page::alone(StatusCode::UNAUTHORIZED, "Help", &main);
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "default-src 'none'; style-src 'self' 'sha256-{hash}'; img-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn why_here() -> Markup {
    html! {
        div.notice {
            p {
                "You see this page because this address asks for no certificate. It holds nothing about "
                "anyone. The service itself is at the address in your enrolment letter, and needs your "
                "certificate."
            }
        }
    }
}

fn words(first: &Markup) -> Markup {
    html! {
        h1 { "Help" }
        p { b { "If somebody is in danger now, call 999." } }
        (first)
        ul {
            li { a href="#lost" { "My computer, my phone or the file was lost or stolen" } }
            li { a href="#phone" { "I have no phone, or a new one, or the code is not accepted" } }
            li { a href="#import" { "Put my certificate on my computer or phone" } }
            li { a href="#trouble" { "The page does not open, or shows an error" } }
            li { a href="#leaving" { "Leave in a hurry" } }
            li { a href="#making" { "I make the files for others" } }
        }
        (lost())
        (phone())
        (import())
        (trouble())
        (leaving())
        (making())
    }
}

fn lost() -> Markup {
    html! {
        h2 id="lost" { "Something was lost or stolen" }
        ol {
            li {
                b { "Telephone the operator now. " }
                "The number is in your enrolment letter. Your certificate is taken back at once: after that "
                "nobody gets in with it, not even with your password."
            }
            li { "Tell the person in your organisation who looks after information." }
            li { "You are given a new certificate. The old one never works again, also if it turns up." }
        }
        p { "Do the same if somebody else knows your password or has used your computer in your name." }
    }
}

fn phone() -> Markup {
    html! {
        h2 id="phone" { "The code from your phone" }
        p {
            "Each code works once. If one is not accepted, wait for the next. If none is, let the phone set "
            "its clock by itself: codes are made from the time."
        }
        p {
            "With a new phone, or none, use your spare device: you can add one under \"Your devices\". Without "
            "one, ask the person who enrolled you to set up a new one with you. Until then you cannot sign "
            "in. If your phone was stolen, telephone the operator first."
        }
    }
}

/// A small picture beside a step; it says no more than the words.
fn picture(inner: &Markup) -> Markup {
    html! {
        svg viewBox="0 0 32 32" width="48" height="48" aria-hidden="true" fill="none"
            stroke="currentColor" stroke-width="2" { (inner) }
    }
}

fn import() -> Markup {
    // In SVG an element that is not closed holds the next.
    let path = |d: &str| html! { path d=(d) {} };
    let file = html! {
        (path("M7 3h12l6 6v20H7z M19 3v6h6")) circle cx="13" cy="19" r="3" {} (path("M16 19h6v3"))
    };
    let call = html! {
        rect x="9" y="2" width="14" height="28" rx="3" {} (path("M14 6h4 M13 12h6 M13 17h6 M15 26h2"))
    };
    let window = html! {
        rect x="3" y="5" width="26" height="22" rx="2" {} (path("M3 11h26 M10 19l4 4 8-8"))
    };
    let bin = path("M6 9h20 M9 9l2 20h10l2-20 M12 9V4h8v5");
    html! {
        h2 id="import" { "Put your certificate on your computer or phone" }
        p {
            "Only on one that your organisation gave to you or agreed to, that locks with a password or a "
            "code, and that nobody else uses under your name. Never on a shared computer."
        }
        ol.steps {
            li {
                (picture(&file))
                p { b { "The file. " } "You were given a file that ends in " span.code { ".p12" } ". Save it." }
            }
            li {
                (picture(&call))
                p { b { "The password. " } "It was told to you by telephone. Open the file as shown below for your computer, and type it." }
            }
            li {
                (picture(&window))
                p {
                    b { "The page. " }
                    "Close every window of the browser and open it again. Go to the address in your letter, "
                    "choose the certificate with your name, and type the code from your phone."
                }
            }
            li {
                (picture(&bin))
                p { b { "Tidy up. " } "Delete the file, also from Downloads and from the bin. It is no longer needed." }
            }
        }
        (guides())
    }
}

fn guides() -> Markup {
    html! {
        h3 { "On your computer or phone" }
        details {
            summary { "Windows, with Edge or Chrome" }
            ol {
                li { "Open the file with a double click. Choose " b { "Current User" } ", then Next, then Next." }
                li { "Type the password. Leave the boxes below it as they are. Next." }
                li { "Leave " b { "Automatically select the certificate store" } ". Next, then Finish." }
                li {
                    "If Windows asks whether to trust an authority: your letter names it and says what to "
                    "answer. Without a word about it in the letter, answer No and ask."
                }
            }
        }
        details {
            summary { "Mac, with Safari or Chrome" }
            ol {
                li { "Open the file with a double click. Keychain Access opens: choose the keychain " b { "login" } ", then Add." }
                li { "Type the password of the file." }
                li {
                    "When the page asks for it the first time, choose the certificate with your name. The Mac "
                    "then asks for the password with which you log in to it: choose Always Allow."
                }
                li { "Does it say that the password is wrong, and it is not? See " a href="#older" { "the older form" } "." }
            }
        }
        details {
            summary { "Chromebook" }
            ol {
                li { "In Chrome open Settings, search for " b { "certificates" } ", and open Manage certificates." }
                li { "Under Your certificates choose " b { "Import and Bind" } "." }
                li { "Choose the file and type the password." }
            }
        }
        details {
            summary { "iPhone or iPad" }
            ol {
                li { "Save the file to Files, and open it there. It says that a profile was downloaded." }
                li { "Open Settings. Under General choose " b { "VPN & Device Management" } ", then the profile, then Install." }
                li { "Type the code of your phone, then the password of the file. Use Safari for the page." }
                li { "Does it say that the password is wrong, and it is not? See " a href="#older" { "the older form" } "." }
            }
        }
        details {
            summary { "Android phone, with Chrome" }
            ol {
                li { "Save the file. Open Settings and search for " b { "certificate" } "." }
                li { "Choose Install a certificate, then " b { "VPN & app user certificate" } ", then the file." }
                li { "Type the password and give it any name, such as Messages." }
                li { "Does it say that the password is wrong, and it is not? See " a href="#older" { "the older form" } "." }
            }
        }
        details {
            summary { "Firefox, on any computer" }
            ol {
                li { "Firefox keeps certificates of its own. Open Settings and search for " b { "certificates" } "." }
                li { "Choose View Certificates, then " b { "Your Certificates" } ", then Import." }
                li { "Choose the file and type the password." }
            }
        }
    }
}

/// What a browser says, what it means, what to do. The codes of Chrome and Edge are in the first list,
/// those of Firefox in the second; Safari shows none.
const TROUBLE: [(&str, &[&str], &str, &str); 7] = [
    (
        "The browser asks for no certificate, or says that login was not possible",
        &[
            "ERR_BAD_SSL_CLIENT_AUTH_CERT",
            "ERR_SOCKET_NOT_CONNECTED",
            "ERR_CONNECTION_CLOSED",
            "ERR_CONNECTION_RESET",
            "SSL_ERROR_RX_CERTIFICATE_REQUIRED_ALERT",
        ],
        "Your certificate is not on this computer, or not for this browser or this user of it; or the \
         wrong one was chosen.",
        "Close every window of the browser, open it again and choose the certificate with your name. \
         If it is not offered, import it.",
    ),
    (
        "The same, and it worked before",
        &[
            "ERR_BAD_SSL_CLIENT_AUTH_CERT",
            "SSL_ERROR_EXPIRED_CERT_ALERT",
            "SSL_ERROR_REVOKED_CERT_ALERT",
            "SSL_ERROR_UNKNOWN_CA_ALERT",
        ],
        "Your certificate has ended, was taken back, or was not made for this address.",
        "Ask the person who gave it to you for a new one. One that was taken back never works again.",
    ),
    (
        "The clock is wrong, or the connection is not private because of a date",
        &["ERR_CERT_DATE_INVALID", "SEC_ERROR_EXPIRED_CERTIFICATE"],
        "The clock of your computer is wrong.",
        "Let the computer set its clock by itself. If it is right, telephone the operator.",
    ),
    (
        "The connection is not private, or a risk",
        &["ERR_CERT_AUTHORITY_INVALID", "SEC_ERROR_UNKNOWN_ISSUER"],
        "Your computer does not know who vouches for the address. It may not be ours.",
        "Do not go on. Compare the address with your letter; if it is right, telephone the operator.",
    ),
    (
        "The site cannot be reached or found",
        &["ERR_NAME_NOT_RESOLVED", "ERR_CONNECTION_REFUSED"],
        "The address is not typed right, or you are not on the internet.",
        "Compare the address with your letter, and open another site. If only ours does not open, \
         telephone the operator.",
    ),
    (
        "Your certificate is out of date or not known here",
        &[],
        "You are no longer enrolled, or under another name.",
        "Ask the person who gave it to you.",
    ),
    (
        "We could not record this access",
        &[],
        "We keep a record of everything, and could not. So we showed nothing.",
        "Try again in a moment. If it goes on, telephone the operator.",
    ),
];

fn trouble() -> Markup {
    html! {
        h2 id="trouble" { "The page does not open, or shows an error" }
        p {
            "Where one of our own pages says no, there is a short code at its foot. Read it aloud when you "
            "ask for help: it says nothing about anybody."
        }
        div.table tabindex="0" role="region" aria-label="What a browser says" {
            table {
                caption { "What a browser says" }
                thead { tr { th scope="col" { "You see" } th scope="col" { "It means" } th scope="col" { "Do this" } } }
                tbody {
                    @for (see, codes, means, todo) in TROUBLE {
                        tr {
                            th scope="row" {
                                (see)
                                @for code in codes { " " span.code { (*code) } }
                            }
                            td { (means) }
                            td { (todo) }
                        }
                    }
                }
            }
        }
        h3 id="older" { "The password of the file is not accepted" }
        p {
            "Small and capital letters count. Many Macs, iPhones and Android phones, and Windows from before "
            "2018, call a right password wrong because they cannot read the file. Then ask for the file "
            b { "in the older form" } "."
        }
    }
}

fn leaving() -> Markup {
    html! {
        h2 id="leaving" { "Leave in a hurry" }
        p {
            b { "Leave this site" } ", at the top of every page, signs you out and opens a weather page. "
            "Pressing Escape three times does the same, unless script is turned off in your browser."
        }
        p {
            "The tab and the history name nobody: they say " b { "Messages" } " and a word such as Help. "
            "The history still holds the address. On a computer that others use, close every window too."
        }
        p { "After ten minutes without use you are signed out." }
    }
}

fn making() -> Markup {
    html! {
        h2 id="making" { "For whoever makes the files" }
        p {
            "An administrator renews the certificates of her own organisation's people on a page of her own: "
            b { "Renew a certificate" } ". The operator makes the others:"
        }
        div.table tabindex="0" role="region" aria-label="Which form of the file" {
            table {
                caption { "Which form of the file" }
                thead { tr { th scope="col" { "For" } th scope="col" { "Command" } } }
                tbody {
                    tr {
                        th scope="row" { "Windows 10 (1709) and newer, Chromebook, Firefox, Linux" }
                        td { span.code { "firedoor cert bundle" } }
                    }
                    tr {
                        th scope="row" { "Mac, iPhone, iPad, Android, older Windows" }
                        td { span.code { "firedoor cert bundle --legacy" } }
                    }
                }
            }
        }
        p {
            "The older form is weaker, so its password matters more: tell it by telephone, never with the "
            "file. When somebody leaves or loses something: "
            span.code { "firedoor cert list" } ", then " span.code { "firedoor cert revoke" } "."
        }
    }
}
