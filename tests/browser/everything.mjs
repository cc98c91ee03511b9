// An app that asks for one field of each kind.

export const EVERYTHING = `
slug = "everything"
name = "Everything"
description = "One field of each kind."
homepage = "https://everything.example"
categories = ["Developer Tools"]
popularity = 1
purpose = "see that every field works"
auth = "keys"
[[fields]]
name = "site"
label = "Site"
help = "The first part of your address."
placeholder = "acme"
host = { form = "label" }
[[fields]]
name = "port"
label = "Port"
kind = "number"
optional = true
[[fields]]
name = "region"
label = "Region"
kind = "select"
default = "eu"
options = [{ value = "eu", label = "Europe" }, { value = "us", label = "United States" }]
[[fields]]
name = "sandbox"
label = "Use the sandbox"
kind = "checkbox"
default = "true"
[[fields]]
name = "file"
label = "Key file"
kind = "json"
secret = true
help = "The JSON file of your service account."
[[fields]]
name = "pem"
label = "Private key"
kind = "multiline"
secret = true
optional = true
placeholder = "-----BEGIN PRIVATE KEY-----"
[[fields]]
name = "dsn"
label = "Database URL"
kind = "connection_string"
schemes = ["postgres"]
[proxy]
base_url = "https://\${site}.everything.example"
[proxy.headers]
authorization = "Bearer \${dsn}"
x-file = "\${file}"
x-pem = "\${pem}"
[evidence]
confirmed = 1
checked_on = "2026-11-22"
`;

/** The same for people who read it otherwise. */
export const IN_GERMAN = translated('deutsch', {
  Site: 'Donaudampfschifffahrtsgesellschaftskapitänsmützensubdomäne',
  'Key file': 'Dienstkontoschlüsseldatei im JSON-Format (vollständig, unverändert)',
  'Private key': 'Privater Schlüssel',
  'Use the sandbox': 'Die Testumgebung benutzen, in der nichts wirklich geschieht',
});
export const IN_ARABIC = translated('arabi', {
  Site: 'النطاق الفرعي',
  'Key file': 'ملف المفتاح',
  'Private key': 'المفتاح الخاص',
  'The first part of your address.': 'الجزء الأول من عنوانك.',
});

function translated(slug, words) {
  const named = EVERYTHING.replace('slug = "everything"', `slug = "${slug}"`);
  const one = (text, [from, to]) => text.replace(`"${from}"`, `"${to}"`);
  return Object.entries(words).reduce(one, named);
}
