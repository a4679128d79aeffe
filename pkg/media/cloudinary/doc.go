// Package cloudinary keeps uploaded files in Cloudinary, through its own SDK.
//
// What the SDK does badly is mended here: it takes every HTTP status for
// success, so a transport turns 400 and above into errors; it has no time
// limit on uploads, so every call gets one; it uploads to "auto", so the
// transport puts the resource type into the path; it opens paths and fetches
// addresses that stand where a file should, so it is given readers only; and it
// logs by itself, so its logger is off.
//
// Around it are bounded retries and a circuit breaker. An upload can be sent
// again: the file is on our disk, and its id is ours.
package cloudinary
