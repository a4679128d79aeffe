package plantest

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// gives reports that an index returns documents in an order: by one scan, or by
// a scan for each value of its first fields.
func gives(keys, order bson.D, all []condition) bool {
	for _, direction := range []int{1, -1} {
		if follows(keys, order, all, direction) {
			return true
		}
		rest, scans := keys, 1
		for len(rest) > 0 {
			reach, values := reachOf(all, rest[0].Key)
			if reach < points {
				break
			}
			rest, scans = rest[1:], scans*values
		}
		if len(rest) < len(keys) && scans <= mostScans && begins(rest, order, direction) {
			return true
		}
	}
	return false
}

// follows walks the keys and the order side by side. A field of one value is in
// every order.
func follows(keys, order bson.D, all []condition, direction int) bool {
	single := func(path string) bool {
		reach, _ := reachOf(all, path)
		return reach == point
	}
	for _, wanted := range order {
		if single(wanted.Key) {
			continue
		}
		at := slices.IndexFunc(keys, func(key bson.E) bool { return !single(key.Key) })
		if at < 0 || keys[at].Key != wanted.Key || sign(keys[at].Value)*direction != sign(wanted.Value) {
			return false
		}
		keys = keys[at+1:]
	}
	return true
}

func begins(keys, order bson.D, direction int) bool {
	if len(order) > len(keys) {
		return false
	}
	for i, wanted := range order {
		if keys[i].Key != wanted.Key || sign(keys[i].Value)*direction != sign(wanted.Value) {
			return false
		}
	}
	return true
}

// sign is the direction of a key: 1 or -1; 0 = none that an index has.
func sign(value any) int {
	switch n := value.(type) {
	case int:
		return n
	case int32:
		return int(n)
	case int64:
		return int(n)
	case float64:
		return int(n)
	default:
		return 0
	}
}
