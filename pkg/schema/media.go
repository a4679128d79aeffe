package schema

// MediaAssets holds who owns an uploaded file.
const MediaAssets = "mediaAssets"

// Media is the part of the schema that uploads need.
func Media() []Collection {
	return []Collection{
		{Name: MediaAssets, Holds: "one record for each uploaded file; _id is its public id", Indexes: []Index{
			{Keys: keys("store", 1, "createdAt", 1), Serves: "orphaned media: the records of a store that are older than a time"},
			{Keys: keys("owner", 1, "createdAt", -1), Serves: "the files of a user, newest first"},
		}},
	}
}
