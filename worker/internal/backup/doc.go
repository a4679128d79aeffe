// Package backup writes a database into a directory that mongorestore --gzip
// reads, checks such a backup, restores it, and decides which ones to keep.
//
//	NAME/                                 <database>-20260817T030000.000Z
//	  manifest.json                       what is in it: see Manifest
//	  SHA256SUMS                          for sha256sum -c
//	  <database>/users.bson.gz            the documents, one BSON after the other
//	  <database>/users.metadata.json.gz   options and indexes, as mongodump writes them
//
// An encrypted backup has the same files with .age at the end of each but the
// manifest and the sums; "age --decrypt" opens them.
//
// The parts, and where they live:
//
//	create.go      reads a Source, writes a Draft of a Store
//	verify.go      reads every byte of a backup and compares it with the manifest
//	restore.go     verifies, fills an empty Target, compares
//	retention.go   which backups stay: daily, weekly, monthly
//	store.go       the port of places that keep backups: dirstore, s3store
//	source.go      the port of databases: backupmongo
//
// A backup is either finished and whole, or it has no name: it is written under
// a temporary one (a directory) or without its manifest (a bucket), and what a
// crash leaves behind is removed by the next run.
//
// Collections are streamed: memory does not grow with the database.
package backup
