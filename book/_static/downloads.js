// A page opened from a disk may not read the file that it offers to download: it runs the script that holds it.
document.addEventListener("click", (event) => {
  const offered = event.target.closest("a[download]");
  if (offered?.protocol === "file:") {
    event.preventDefault();
    const script = document.createElement("script");
    script.src = `${offered.href}.js`;
    document.head.append(script);
  }
});

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text]));
  link.download = name;
  link.click();
}
