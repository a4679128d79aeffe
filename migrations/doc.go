// Package migrations is for numbered changes of the database that need more
// than creating what is missing. There are none so far: each store creates
// the collections and indexes that it relies on when its program starts.
package migrations
