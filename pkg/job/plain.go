package job

import (
	"encoding/json"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/instant"
)

// PlainValue turns a BSON value into what encoding/json renders as a Node
// client expects: ObjectIds as hex, dates as ISO 8601 text in UTC with
// milliseconds, whole numbers without a fraction, NaN and infinities as null.
// Key order is kept.
func PlainValue(v bson.RawValue) any {
	switch v.Type {
	case 0, bson.TypeNull, bson.TypeUndefined:
		return nil
	case bson.TypeEmbeddedDocument:
		document, ok := v.DocumentOK()
		if !ok {
			return nil
		}
		return plainDocument(document)
	case bson.TypeArray:
		array, ok := v.ArrayOK()
		if !ok {
			return nil
		}
		values, _ := array.Values()
		plain := make([]any, len(values))
		for i, value := range values {
			plain[i] = PlainValue(value)
		}
		return plain
	case bson.TypeDateTime:
		t, _ := v.TimeOK()
		return instant.Text(t)
	case bson.TypeObjectID:
		id, _ := v.ObjectIDOK()
		return id.Hex()
	default:
		return plainScalar(v)
	}
}

func plainScalar(v bson.RawValue) any {
	switch v.Type {
	case bson.TypeString:
		text, _ := v.StringValueOK()
		return text
	case bson.TypeBoolean:
		truth, _ := v.BooleanOK()
		return truth
	case bson.TypeInt64:
		n, _ := v.Int64OK()
		return n
	case bson.TypeInt32, bson.TypeDouble:
		n, ok := numberOK(v) // not of NaN
		if !ok || math.IsInf(n, 0) {
			return nil
		}
		return n
	default:
		// Binary, decimals, regular expressions and the like: the relaxed
		// extended form is the only JSON that loses nothing.
		var plain any
		text, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, false, false)
		if err != nil || json.Unmarshal(text, &plain) != nil {
			return nil
		}
		return plain.(map[string]any)["v"]
	}
}

// orderedDocument renders as a JSON object in the order of its keys.
type orderedDocument []struct {
	key   string
	value any
}

func plainDocument(raw bson.Raw) orderedDocument {
	elements, _ := raw.Elements()
	document := make(orderedDocument, len(elements))
	for i, element := range elements {
		document[i].key, document[i].value = element.Key(), PlainValue(element.Value())
	}
	return document
}

// MarshalJSON implements json.Marshaler.
func (d orderedDocument) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, field := range d {
		if i > 0 {
			text = append(text, ',')
		}
		key, err := json.Marshal(field.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(field.value)
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, key...), ':'), value...)
	}
	return append(text, '}'), nil
}

// ToData turns any Go value into a payload as a JavaScript driver would store
// it: structs go through their JSON form, so that the field names are the
// ones that clients send; times within bson.D or bson.M keep their type.
func ToData(payload any) (bson.RawValue, error) {
	switch value := payload.(type) {
	case nil:
		return bson.RawValue{}, nil
	case bson.RawValue:
		return value, nil
	case json.RawMessage:
		if len(value) == 0 { // encoding/json renders this as null, too
			return bson.RawValue{}, nil
		}
		return dataFromJSON(value)
	case bson.D, bson.M, bson.A, string, bool, time.Time:
		return rawValue(value)
	default:
		text, err := json.Marshal(payload)
		if err != nil {
			return bson.RawValue{}, err
		}
		return dataFromJSON(text)
	}
}

func rawValue(value any) (bson.RawValue, error) {
	kind, data, err := bson.MarshalValue(value)
	if err != nil {
		return bson.RawValue{}, err
	}
	return bson.RawValue{Type: kind, Value: data}, nil
}
