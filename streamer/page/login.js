// Says so where the token was wrong.
document.getElementById("wrong").hidden = !location.search.includes("wrong");
