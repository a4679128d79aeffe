// Package localdisk keeps uploaded files below one directory of the local
// disk: the store where Cloudinary is not configured.
//
//	files/etrainer/images/m_….png        what was uploaded
//	variants/etrainer/images/m_….png/…   pictures made from it
//	incoming/…                           what is being received
//
// A file appears by a rename within the directory, after its bytes are on the
// disk: a crash leaves at worst something in incoming, which [Store.Sweep]
// removes. Several processes may share the directory.
package localdisk
