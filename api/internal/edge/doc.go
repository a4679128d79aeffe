// Package edge holds the tests of nginx/: a real nginx, made by nginx/render,
// in front of three real api processes. It is skipped where nginx is not
// installed.
package edge
