// Package embedded runs the two engines that the product needs inside the
// process that asks: FerretDB v1 over SQLite files in place of MongoDB, and
// miniredis in place of Redis.
//
// They exist so that a checkout can be tried and tested without installing
// anything. They are engines for development only:
//
//   - MongoDB has no transactions, change streams, TTL or partial indexes,
//     and reads a whole collection for every filter other than {_id: X}. Its
//     write commands are made atomic by package gate.
//   - Redis keeps nothing between starts.
package embedded
