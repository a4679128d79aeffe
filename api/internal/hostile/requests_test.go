package hostile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/etrainer/backend/api/internal/openapi"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// source makes requests from the OpenAPI document.
type source struct {
	document map[string]any
	random   *rand.Rand
	known    map[string][]string // what is there, by the names of fields and parameters
}

// operation is one method of one path.
type operation struct {
	method, path string
	parameters   []map[string]any
	body         map[string]any // its JSON schema; nil = none
	field        string         // of its form; "" = it takes no files
}

func newSource(t testing.TB, seed uint64) *source {
	t.Helper()
	text, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	s := &source{random: rand.New(rand.NewPCG(seed, 1))}
	if err := json.Unmarshal(text, &s.document); err != nil {
		t.Fatal(err)
	}
	return s
}

// operations lists every operation in a fixed order.
func (s *source) operations() []operation {
	var all []operation
	paths, _ := s.document["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, definition := range methods {
			definition, _ := definition.(map[string]any)
			o := operation{method: strings.ToUpper(method), path: path}
			parameters, _ := definition["parameters"].([]any)
			for _, parameter := range parameters {
				o.parameters = append(o.parameters, s.resolve(parameter))
			}
			request, _ := definition["requestBody"].(map[string]any)
			content, _ := request["content"].(map[string]any)
			if media, ok := content["application/json"].(map[string]any); ok {
				o.body, _ = media["schema"].(map[string]any)
			}
			if form, ok := content["multipart/form-data"].(map[string]any); ok {
				schema, _ := form["schema"].(map[string]any)
				properties, _ := schema["properties"].(map[string]any)
				for name := range properties {
					o.field = name
				}
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

func (s *source) resolve(value any) map[string]any {
	object, _ := value.(map[string]any)
	reference, ok := object["$ref"].(string)
	if !ok {
		return object
	}
	var at any = s.document
	for segment := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		inside, _ := at.(map[string]any)
		at = inside[segment]
	}
	found, _ := at.(map[string]any)
	return found
}

// target fills the parameters of an operation in.
func (s *source) target(o operation) (target string, header map[string]string) {
	target, header = o.path, map[string]string{}
	query := url.Values{}
	for _, parameter := range o.parameters {
		name, _ := parameter["name"].(string)
		schema, _ := parameter["schema"].(map[string]any)
		value := s.text(schema)
		if known := s.known[name]; len(known) > 0 && s.chance(3) {
			value = s.pick(known)
		}
		switch parameter["in"] {
		case "path":
			target = strings.ReplaceAll(target, "{"+name+"}", url.PathEscape(value))
		case "query":
			if s.chance(2) {
				query.Add(name, value)
			}
		case "header":
			if s.chance(2) {
				header[name] = strings.Map(visible, value)
			}
		}
	}
	if s.chance(4) {
		query.Add(s.pick(nastyTexts), s.pick(nastyTexts))
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return target, header
}

// visible keeps what a header may hold: Go's client refuses to send the rest.
func visible(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

func (s *source) text(schema map[string]any) string {
	if s.chance(2) {
		return s.pick(nastyTexts)
	}
	value := s.value(schema, 0)
	if text, ok := value.(string); ok {
		return text
	}
	return fmt.Sprint(value)
}

// body makes the body of a request: right, spoiled, cut, or no JSON at all.
func (s *source) body(o operation) (text, contentType string) {
	if o.field != "" && !s.chance(6) {
		return s.form(o.field)
	}
	if o.body == nil && !s.chance(3) {
		return "", ""
	}
	encoded, err := json.Marshal(s.value(o.body, 0))
	if err != nil {
		panic(err)
	}
	text, contentType = string(encoded), "application/json"
	switch s.random.IntN(8) {
	case 0:
		text = text[:s.random.IntN(len(text)+1)]
	case 1:
		text = s.pick(nastyBodies)
	case 2:
		at := s.random.IntN(len(text) + 1)
		text = text[:at] + s.pick(nastyTexts) + text[at:]
	}
	if s.chance(8) {
		contentType = s.pick(nastyTypes)
	}
	return text, contentType
}

// form makes a body with files: right, cut, under another name, or with bytes
// that are turned over.
func (s *source) form(field string) (text, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("b" + strconv.FormatUint(s.random.Uint64(), 36)) // of signs that it may have
	formats := mediafile.Formats()
	slices.Sort(formats)
	spoil := s.random.IntN(6)
	for range 1 + s.random.IntN(2)*s.random.IntN(3) {
		content := bytes.Clone(mediatest.Sample(formats[s.random.IntN(len(formats))]))
		name := field
		switch spoil {
		case 0:
			name = s.pick(nastyTexts)
		case 1:
			for range 1 + s.random.IntN(8) {
				content[s.random.IntN(len(content))] ^= byte(1 << s.random.IntN(8))
			}
		case 2:
			content = content[:s.random.IntN(len(content))]
		}
		part, err := w.CreateFormFile(name, s.pick([]string{"a.png", "../../a.png", "tên.mp4", "\x00", strings.Repeat("a", 300)}))
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			panic(err)
		}
	}
	_ = w.Close() // into memory
	text = b.String()
	if spoil == 3 {
		text = text[:s.random.IntN(len(text))]
	}
	return text, w.FormDataContentType()
}

const deepest = 8

// value makes a value of a schema, now and then a wrong one.
func (s *source) value(schema map[string]any, depth int) any {
	if depth > deepest || s.chance(12) {
		return nasty[s.random.IntN(len(nasty))]
	}
	schema = s.resolve(schema)
	if constant, ok := schema["const"]; ok {
		return constant
	}
	for _, key := range []string{"enum", "examples"} {
		if values, ok := schema[key].([]any); ok && len(values) > 0 {
			return values[s.random.IntN(len(values))]
		}
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if choices, ok := schema[key].([]any); ok && schema["properties"] == nil {
			choice, _ := choices[s.random.IntN(len(choices))].(map[string]any)
			return s.value(choice, depth+1)
		}
	}
	return s.typed(schema, depth)
}

func (s *source) typed(schema map[string]any, depth int) any {
	switch kind := s.kind(schema); kind {
	case "object":
		return s.object(schema, depth)
	case "array":
		items, _ := schema["items"].(map[string]any)
		values := make([]any, s.random.IntN(4))
		for i := range values {
			values[i] = s.value(items, depth+1)
		}
		return values
	case "integer":
		return s.random.IntN(300) - 10
	case "number":
		return s.random.NormFloat64() * 1e6
	case "boolean":
		return s.chance(2)
	case "null":
		return nil
	default:
		return s.pick([]string{"generate weekly reports", "an@example.com", "in 5 minutes", "30 9 * * *", "0123456789abcdef01234567", "Asia/Ho_Chi_Minh", "x"})
	}
}

func (s *source) kind(schema map[string]any) string {
	switch kind := schema["type"].(type) {
	case string:
		return kind
	case []any:
		text, _ := kind[s.random.IntN(len(kind))].(string)
		return text
	}
	if schema["properties"] != nil {
		return "object"
	}
	return s.pick([]string{"object", "array", "string", "number", "null"})
}

func (s *source) object(schema map[string]any, depth int) map[string]any {
	object := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range properties {
			if !yield(name) {
				return
			}
		}
	}) {
		if slices.Contains(required, any(name)) && !s.chance(10) || s.chance(3) {
			property, _ := properties[name].(map[string]any)
			object[name] = s.value(property, depth+1)
			if known := s.known[name]; len(known) > 0 && s.chance(2) {
				object[name] = s.pick(known)
			}
		}
	}
	if s.chance(6) {
		object[s.pick(nastyTexts)] = nasty[s.random.IntN(len(nasty))]
	}
	return object
}

// chance is true once in n times.
func (s *source) chance(n int) bool { return s.random.IntN(n) == 0 }

func (s *source) pick(from []string) string { return from[s.random.IntN(len(from))] }

var nastyTexts = []string{
	"", " ", "null", "undefined", "true", "-1", "0", "1e999", "NaN", "99999999999999999999",
	"$ne", "$where", "a.b", "__proto__", "constructor", "role", "_id",
	"../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "C:\\windows\\win.ini",
	"' OR '1'='1", `{"$gt":""}`, "<script>alert(1)</script>", "javascript:alert(1)", "${jndi:ldap://x}", "{{7*7}}", "%00", "%", "%zz", "%s%n%d",
	"\x00", "\xff\xfe", "\u202e\u0000", "\r\nSet-Cookie: a=b", "💥🇻🇳", strings.Repeat("a", 5000), strings.Repeat("é", 300),
	"000000000000000000000000", "ffffffffffffffffffffffff", "0123456789abcdef0123456g",
}

var nasty = []any{
	nil, true, false, 0, -1, 1.5, 1e308, -1e308, 9007199254740993, "", "\x00", "💥",
	[]any{},
	[]any{nil},
	[]any{[]any{[]any{}}},
	map[string]any{},
	map[string]any{"$ne": nil},
	map[string]any{"$gt": ""},
	map[string]any{"$where": "sleep(1000)"},
	map[string]any{"__proto__": map[string]any{"role": "ADMIN"}},
	map[string]any{"a.b": map[string]any{"$set": 1}},
	strings.Repeat("x", 20000),
}

var nastyBodies = []string{
	"", "null", "[]", "1", `"text"`, "{", "{}{}", "\xff\xfe{", `{"a":` + strings.Repeat("[", 20000), `{"a":1,"a":2}`, "{\"a\":\"\xff\"}",
	`{"name":{"$ne":null},"email":{"$gt":""},"password":{"$gt":""}}`, `{"__proto__":{"role":"ADMIN"},"role":"ADMIN","_id":"000000000000000000000000"}`,
	"name=a&name=b&email[$ne]=1&password[$gt]=", "%", "a=%zz&b", "--x\r\nContent-Disposition: form-data; name=\"images\"; filename=\"../../a.png\"\r\n\r\nx\r\n--x--",
}

var nastyTypes = []string{
	"", "text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x",
	"multipart/form-data; boundary=" + strings.Repeat("b", 200), "application/xml", "a/b/c", ";;;",
}
