// Package plantest tells without a server how MongoDB carries out a command: by
// which declared index, and whether that reads in proportion to the collection.
// Tests alone import it. Package mongotest asks it about every command that a
// suite sends.
//
// The rules are those of MongoDB's documentation, read strictly: where the
// server may choose, the poor choice counts.
//
//   - Equality, sort, range. An index serves a query that asks for its first
//     field. It gives an order when the fields before that order are asked for
//     equality; $in counts as equality while it makes no more than 200 scans,
//     whose results the server merges in order.
//   - A partial index serves only a query that contains the condition of the
//     index: a comparison is proved by a stricter comparison on the same type,
//     $type and everything else only by the very same condition.
//   - Each alternative of an $or needs an index of its own.
//   - A hint names an index that exists.
//   - A condition on a field that the index does not have is looked at in the
//     documents, however many that are.
//
// A command is served when one of these bounds what it reads: equality with a
// few values of _id or of another unique index; an index or a collection that is
// declared to stay small (Few in package schema); a limit, together with an
// index that has every field of the filter and gives the order; or, for a write
// to many documents, bounds that hold no other documents than those it changes.
package plantest
