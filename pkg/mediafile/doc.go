// Package mediafile tells what a file is by its bytes: its format, the size
// of a picture, the length of a sound or a film. It trusts nothing that a file
// says about itself: every read is bounded, and nothing is decoded.
package mediafile
