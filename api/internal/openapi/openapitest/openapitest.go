// Package openapitest holds what goes over the wire against the OpenAPI
// document. Tests alone import it.
package openapitest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"testing"
)

// Exchange is one request and its reply.
type Exchange struct {
	Method, Path string // Path may have a query
	RequestType  string // Content-Type of the request; "" = it had no body
	Request      []byte
	Status       int
	Header       http.Header
	Reply        []byte
}

// Check fails the test when an exchange is not as the document says: the
// status, the headers, the type and the shape of the reply, and, of a request
// that was accepted, its query and its body. Paths that the document does not
// know must be refused, in the words of those that it knows.
func Check(t testing.TB, e Exchange) {
	t.Helper()
	if err := verify(e); err != nil {
		t.Errorf("the OpenAPI document says otherwise: %s %s, status %d: %v\n%s", e.Method, e.Path, e.Status, err, shorten(e.Reply))
	}
}

// CheckReply is Check without a look at the body of the request.
func CheckReply(t testing.TB, request *http.Request, reply *http.Response, body []byte) {
	t.Helper()
	Check(t, Exchange{
		Method: request.Method, Path: request.URL.RequestURI(), Status: reply.StatusCode, Header: reply.Header, Reply: body,
	})
}

const shown = 500

func shorten(text []byte) []byte { return text[:min(len(text), shown)] }

func verify(e Exchange) error {
	d, err := read()
	if err != nil {
		return err
	}
	operation := d.find(e.Method, e.Path)
	if operation.object == nil {
		return d.unknown(e)
	}
	if e.Status < http.StatusBadRequest {
		if err := d.request(operation, e); err != nil {
			return fmt.Errorf("the accepted request: %w", err)
		}
	}
	response := d.at(operation, "responses", strconv.Itoa(e.Status))
	if response.object == nil {
		return fmt.Errorf("%s has no response %d", operation.pointer, e.Status)
	}
	return d.reply(response, e)
}

// refusals are the answers to a path that is in nobody's list: it is not found,
// or was refused before anybody looked.
var refusals = map[int]string{
	http.StatusBadRequest: "BadRequest", http.StatusUnauthorized: "Unauthorized", http.StatusForbidden: "Forbidden",
	http.StatusNotFound: "NotFound", http.StatusUnsupportedMediaType: "Compressed", http.StatusTooManyRequests: "TooMany", http.StatusServiceUnavailable: "Unavailable",
}

// unknown checks the reply to a path that the document does not know.
func (d *document) unknown(e Exchange) error {
	name, ok := refusals[e.Status]
	if !ok {
		return errors.New("it has no entry for this path and method")
	}
	return d.reply(d.at(node{d.whole, "#"}, "components", "responses", name), e)
}

func (d *document) reply(response node, e Exchange) error {
	if err := d.headers(response, e.Header); err != nil {
		return err
	}
	content := d.at(response, "content")
	if e.Method == http.MethodHead || len(e.Reply) == 0 && (content.object == nil || e.Status == http.StatusNotModified) {
		return nil
	}
	kind, _, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", e.Header.Get("Content-Type"), err)
	}
	media := d.at(content, kind)
	if media.object == nil {
		if content.object["*/*"] != nil {
			return nil
		}
		return fmt.Errorf("%s has no content of type %s", response.pointer, kind)
	}
	if kind != typeJSON {
		return nil
	}
	text, err := unpacked(e)
	if err != nil {
		return err
	}
	return d.json(media, text)
}

// unpacked is the body of a reply without compression.
func unpacked(e Exchange) ([]byte, error) {
	if e.Header.Get("Content-Encoding") != "gzip" {
		return e.Reply, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(e.Reply))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// headers checks those that the response describes.
func (d *document) headers(response node, given http.Header) error {
	described := d.at(response, "headers")
	for name := range described.object {
		header := d.at(described, name)
		value := given.Get(name)
		if value == "" {
			if header.object["required"] == true {
				return fmt.Errorf("it lacks the header %s", name)
			}
			continue
		}
		if err := d.texts(header, []string{value}); err != nil {
			return fmt.Errorf("header %s: %q: %w", name, value, err)
		}
	}
	return nil
}
