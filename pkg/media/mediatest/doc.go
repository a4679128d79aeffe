// Package mediatest holds what tests of media need: small files of every
// format, the suite that every media.Store passes, and a stand-in for
// Cloudinary. Tests alone import it.
package mediatest
