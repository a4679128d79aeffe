// Package hostile holds the tests that treat the api as an attacker would: it
// sends requests that are derived from the OpenAPI document and then spoiled,
// to every route, and looks at what comes back and what is left behind.
package hostile
