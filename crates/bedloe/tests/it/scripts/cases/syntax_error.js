export default function () {
  let a = ;
}
