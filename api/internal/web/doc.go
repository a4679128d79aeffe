// Package web is how handlers read requests and answer them: bodies into
// typed structs, values into JSON, failures into statuses.
//
// A handler is a function that returns an error; [Handle] turns it into a gin
// handler. Which failure gets which status and text is decided in this
// package alone.
package web
