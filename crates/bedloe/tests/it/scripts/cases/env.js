// args: -e OWN=value -e EMPTY=
export default function () {
  console.log(__ENV.OWN, __ENV.EMPTY, __ENV.NOT_THERE, typeof __ENV.PATH, 'OWN' in __ENV);
}
