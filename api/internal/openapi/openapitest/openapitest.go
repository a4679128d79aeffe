// Package openapitest holds what goes over the wire against the OpenAPI
// document. Tests alone import it.
package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/etrainer/backend/api/internal/openapi"
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
// status, the type and the shape of the reply, and, of a JSON request that was
// accepted, the shape of its body. Paths that the document does not know must
// be refused.
func Check(t testing.TB, e Exchange) {
	t.Helper()
	if err := verify(e); err != nil {
		t.Errorf("the OpenAPI document says otherwise: %s %s, status %d: %v\n%s", e.Method, e.Path, e.Status, err, shorten(e.Reply))
	}
}

const (
	shown    = 500
	location = "https://api.test/openapi.json"
)

func shorten(text []byte) []byte { return text[:min(len(text), shown)] }

func verify(e Exchange) error {
	d, err := read()
	if err != nil {
		return err
	}
	operation, pointer := d.find(e.Method, e.Path)
	if operation == nil {
		return unknown(e)
	}
	if e.Status < http.StatusBadRequest && isJSON(e.RequestType) && takesJSON(operation) {
		if err := d.body(pointer+"/requestBody", "application/json", e.Request); err != nil {
			return fmt.Errorf("the accepted request: %w", err)
		}
	}
	status := fmt.Sprint(e.Status)
	responses, _ := operation["responses"].(map[string]any)
	response, ok := responses[status].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no response %s", pointer, status)
	}
	return d.reply(response, pointer+"/responses/"+status, e)
}

// takesJSON reports whether the operation reads a JSON body. A body that is
// not read may be anything.
func takesJSON(operation map[string]any) bool {
	request, _ := operation["requestBody"].(map[string]any)
	content, _ := request["content"].(map[string]any)
	return content["application/json"] != nil
}

// unknown checks the reply to a path that is in nobody's list: it is not
// found, or was refused before anybody looked.
func unknown(e Exchange) error {
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return nil
	}
	return fmt.Errorf("it has no entry for this path and method")
}

func (d *document) reply(response map[string]any, pointer string, e Exchange) error {
	response, pointer = d.follow(response, pointer)
	content, _ := response["content"].(map[string]any)
	if e.Method == http.MethodHead || len(e.Reply) == 0 && (content == nil || e.Status == http.StatusNotModified) {
		return nil
	}
	kind, _, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", e.Header.Get("Content-Type"), err)
	}
	if _, ok := content[kind]; !ok {
		if _, anything := content["*/*"]; anything {
			return nil
		}
		return fmt.Errorf("%s has no content of type %s", pointer, kind)
	}
	if !isJSON(kind) {
		return nil
	}
	return d.body(pointer, kind, e.Reply)
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

// document is the OpenAPI document, and its schemas as far as they were used.
type document struct {
	whole map[string]any
	paths []path

	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

// parameter stands for a segment that may be anything.
const parameter = "{}"

// spanning stands for one or more segments: ids of files have slashes.
const spanning = "{*}"

// path is one entry of paths, its segments in small letters.
type path struct {
	name     string
	segments []string
}

var read = sync.OnceValues(func() (*document, error) {
	text, err := openapi.Document()
	if err != nil {
		return nil, err
	}
	d := &document{compiler: jsonschema.NewCompiler()}
	if err := json.Unmarshal(text, &d.whole); err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(location, parsed); err != nil {
		return nil, err
	}
	paths, _ := d.whole["paths"].(map[string]any)
	for name := range paths {
		d.paths = append(d.paths, path{name, segmentsOf(name)})
	}
	return d, nil
})

func segmentsOf(name string) []string {
	segments := strings.Split(strings.ToLower(strings.Trim(name, "/")), "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = parameter
			if segment == "{publicid}" || segment == "{path}" {
				segments[i] = spanning
			}
		}
	}
	return segments
}

// find returns the operation of a request, and where it stands; nil when
// there is none. A path without parameters wins over one with them.
func (d *document) find(method, target string) (operation map[string]any, pointer string) {
	target, _, _ = strings.Cut(target, "?")
	if strings.Contains(target, "//") {
		return nil, ""
	}
	given := strings.Split(strings.ToLower(strings.Trim(target, "/")), "/")
	if method == http.MethodHead {
		method = http.MethodGet
	}
	best := -1
	for _, candidate := range d.paths {
		fixed, ok := match(candidate.segments, given)
		if !ok || fixed <= best {
			continue
		}
		paths, _ := d.whole["paths"].(map[string]any)
		item, _ := paths[candidate.name].(map[string]any)
		if found, ok := item[strings.ToLower(method)].(map[string]any); ok {
			best, operation = fixed, found
			pointer = "#/paths/" + escape(candidate.name) + "/" + strings.ToLower(method)
		}
	}
	return operation, pointer
}

// match compares segments, and counts those that are no parameters.
func match(segments, given []string) (fixed int, ok bool) {
	if at := slices.Index(segments, spanning); at >= 0 && len(given) >= len(segments) {
		rest := len(given) - (len(segments) - at - 1) // where what follows it begins
		given = append(append(slices.Clone(given[:at]), strings.Join(given[at:rest], "/")), given[rest:]...)
	}
	if len(segments) != len(given) {
		return 0, false
	}
	for i, segment := range segments {
		switch segment {
		case parameter, spanning:
			if given[i] == "" {
				return 0, false
			}
		case given[i]:
			fixed++
		default:
			return 0, false
		}
	}
	return fixed, true
}

func escape(name string) string {
	return url.PathEscape(strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1"))
}

// follow resolves a reference to a response or a request body.
func (d *document) follow(object map[string]any, pointer string) (map[string]any, string) {
	reference, ok := object["$ref"].(string)
	if !ok {
		return object, pointer
	}
	var at any = d.whole
	for segment := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		inside, _ := at.(map[string]any)
		at = inside[segment]
	}
	found, _ := at.(map[string]any)
	return found, reference
}

// body validates a JSON body by the schema below a response or request body.
func (d *document) body(pointer, kind string, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	d.mu.Lock()
	schema, err := d.compiler.Compile(location + pointer + "/content/" + escape(kind) + "/schema")
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
