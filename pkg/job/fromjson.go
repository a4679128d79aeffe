package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/errs"
)

// maxDataDepth bounds the nesting of a payload well below what MongoDB
// refuses (100 levels), so that the error names the payload and not the write.
const maxDataDepth = 64

// dataFromJSON decodes plain JSON into BSON, keeping the order of keys and
// choosing int32, int64 or double as a JavaScript driver would.
func dataFromJSON(text []byte) (bson.RawValue, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := decodeJSON(decoder, 0)
	if err != nil {
		return bson.RawValue{}, fmt.Errorf("read data: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return bson.RawValue{}, fmt.Errorf("read data: text after the JSON value")
	}
	if value == nil {
		return bson.RawValue{}, nil
	}
	return rawValue(value)
}

func decodeJSON(decoder *json.Decoder, depth int) (any, error) {
	if depth > maxDataDepth {
		return nil, fmt.Errorf("it is nested deeper than %d levels", maxDataDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch value := token.(type) {
	case json.Delim:
		if value == '{' {
			return decodeObject(decoder, depth)
		}
		return decodeArray(decoder, depth)
	case json.Number:
		return jsonNumber(value)
	default:
		return value, nil
	}
}

func decodeObject(decoder *json.Decoder, depth int) (any, error) {
	document := bson.D{}
	seen := map[string]int{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := decodeJSON(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		name := key.(string)
		if i, twice := seen[name]; twice { // the last one wins, as in JavaScript
			document[i].Value = value
			continue
		}
		seen[name] = len(document)
		document = append(document, bson.E{Key: name, Value: value})
	}
	_, err := decoder.Token()
	return document, err
}

func decodeArray(decoder *json.Decoder, depth int) (any, error) {
	array := bson.A{}
	for decoder.More() {
		value, err := decodeJSON(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := decoder.Token()
	return array, err
}

func jsonNumber(text json.Number) (any, error) {
	if n, err := text.Int64(); err == nil {
		if n >= -(1<<53) && n <= 1<<53 {
			return Number(float64(n)), nil
		}
		return n, nil // a double could not hold it
	}
	n, err := text.Float64()
	if err != nil {
		return nil, fmt.Errorf("the number %s is out of range", errs.Shorten(text.String()))
	}
	if losesDigits(text.String(), n) {
		return nil, fmt.Errorf("the number %s has more digits than a number keeps; send it as text", errs.Shorten(text.String()))
	}
	return Number(n), nil
}
