// Package auth knows who asks: accounts, passwords, tokens and sessions, and
// the middleware that lets only some callers through.
//
// A login opens a session. Its access token is short-lived and proves who asks;
// its refresh token buys the next pair once. A refresh token that comes a
// second time was stolen or replayed, so its whole session ends. A logout ends
// the session in every replica at once.
//
// Tokens, hashes and accounts of the Node backend stay valid.
package auth
