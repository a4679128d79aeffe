// Package openapi is the description of the api: one OpenAPI 3.1 document for
// every route, at /api/openapi.json, and a page that shows it, at /api/docs.
//
// The document is written by hand, one file for each area in spec/. It cannot
// drift: a route without an entry fails a test of package server, and every
// request and reply of every test of the api is held against it (openapitest).
//
// The page is Swagger UI, whose files lie compressed in page/; page/README.md
// says where they come from. It needs nothing from the network and no inline
// script.
package openapi
