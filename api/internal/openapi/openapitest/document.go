package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/etrainer/backend/api/internal/openapi"
)

const location = "https://api.test/openapi.json"

// document is the OpenAPI document, and its schemas as far as they were used.
type document struct {
	whole map[string]any
	paths []path

	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

// node is one object of the document, and where it stands. Without an object
// there is none.
type node struct {
	object  map[string]any
	pointer string
}

// at goes down from a node, and follows references.
func (d *document) at(n node, keys ...string) node {
	for _, key := range keys {
		object, _ := n.object[key].(map[string]any)
		n = d.follow(node{object, n.pointer + "/" + escape(key)})
	}
	return n
}

// list is at for a list.
func (d *document) list(n node, key string) []node {
	values, _ := n.object[key].([]any)
	nodes := make([]node, len(values))
	for i, value := range values {
		object, _ := value.(map[string]any)
		nodes[i] = d.follow(node{object, n.pointer + "/" + key + "/" + strconv.Itoa(i)})
	}
	return nodes
}

func (d *document) follow(n node) node {
	reference, ok := n.object["$ref"].(string)
	if !ok {
		return n
	}
	return d.at(node{d.whole, "#"}, strings.Split(strings.TrimPrefix(reference, "#/"), "/")...)
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
	return parse(text)
})

func parse(text []byte) (*document, error) {
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
}

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

// find returns the operation of a request. A path without parameters wins over
// one with them.
func (d *document) find(method, target string) (operation node) {
	target, _, _ = strings.Cut(target, "?")
	if strings.Contains(target, "//") {
		return node{}
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
		if found := d.at(node{d.whole, "#"}, "paths", candidate.name, strings.ToLower(method)); found.object != nil {
			best, operation = fixed, found
		}
	}
	return operation
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

// json checks a JSON body by the schema of its media type.
func (d *document) json(media node, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	return d.valid(media.pointer+"/schema", value)
}

// valid checks a value by a schema.
func (d *document) valid(pointer string, value any) error {
	d.mu.Lock()
	schema, err := d.compiler.Compile(location + pointer)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
