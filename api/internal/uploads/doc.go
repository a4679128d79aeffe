// Package uploads answers /api/uploads, the routes of the Node backend for
// pictures, sounds, films and documents, and serves files of the local disk
// under /media/.
//
// A request's files are received on disk while they are limited and looked at,
// measured when they are whole, and only then stored, each with a record of
// its owner. Whatever goes wrong in between, nothing of the request remains.
package uploads
