// Package trial tries mutations: it copies the repository, takes one mechanism
// out of the copy, and runs the tests that must notice.
package trial
