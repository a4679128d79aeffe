// Package cache is the port of a cache: bytes by key, for a time. What is in it
// may vanish at any moment, and nothing is ever only there.
//
// [Memory] is the cache of one process, bounded in size. Package rediscache is
// the one that processes share; package fallback asks Redis first, and memory
// while Redis is away.
//
// Applications read through a [Through]: it loads what is missing once for all
// who ask at the same time, remembers that something does not exist, and can
// serve a value that is a little old while it loads a new one.
package cache
