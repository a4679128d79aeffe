// Package media is the port to the store of uploaded files, and its
// vocabulary: kinds of files with their limits, assets, records, usage.
//
// A [Store] keeps the bytes; there is one on the local disk (media/localdisk)
// and one in Cloudinary (media/cloudinary), and the suite in media/mediatest
// holds both to the same promises. [Records] keeps who owns what; its adapter
// is media/mediamongo.
//
// A file is received completely, on disk and never in memory, before a store
// sees it: so it can be measured and refused first, and sent again when a try
// fails.
package media
