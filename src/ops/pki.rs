//! Issues certificates, revocation lists and PKCS#12 bundles with OpenSSL.
