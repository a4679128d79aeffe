// Package schema is what the database looks like: the names of the
// collections, every index that the code relies on, and the version of it all.
//
// It is the one place where an index is declared. "migrate up" creates what is
// declared here, stores that prepare a database by themselves take their part
// from here, and the worker's index check compares the database with it. The
// package knows BSON and no driver.
//
// # To add a collection or an index
//
// Name the collection in a constant, add its [Index]es with the query that
// each one serves, and list it in [Collections]. Nothing else is needed:
// "migrate up" sees that the indexes have changed. Only a change of documents
// that are there already needs a numbered step in the module migrations, and a
// new [Version] with it.
package schema
