package backup

import (
	"crypto/sha1" //nolint:gosec // the name that mongodump gives, not a safeguard
	"encoding/base64"
	"net/url"
	"path"
)

// The longest file name of mongodump without its ending, and what it keeps of
// a longer one.
const (
	longestName = 238
	keptOfName  = 208
)

// basePath is the path of a collection's files without their ending:
// mongodump's outputPath, where a name that is too long for a file is cut and
// gets a hash, and mongorestore takes the whole name from the metadata.
func basePath(database, collection string) string {
	name := url.PathEscape(collection)
	if len(name) > longestName {
		hash := sha1.Sum([]byte(collection)) //nolint:gosec // see above
		name = name[:keptOfName] + "%24" + base64.RawURLEncoding.EncodeToString(hash[:])
	}
	return path.Join(database, name)
}

func dataPath(database, collection string) string {
	return basePath(database, collection) + ".bson.gz"
}

func metadataPath(database, collection string) string {
	return basePath(database, collection) + ".metadata.json.gz"
}
